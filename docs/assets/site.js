// The copy button of each code block stands in a landmark; where there are several, each needs a name of its own (WCAG, axe's
// landmark-unique). The theme makes them after the page is there, so they are waited for.
const name = () =>
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((nav) => {
    const all = [...document.querySelectorAll(".md-code__nav")];
    nav.setAttribute("aria-label", `Code block ${all.indexOf(nav) + 1}`);
  });
new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();
