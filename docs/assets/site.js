// The copy button of each code block stands in a landmark; where there are several, each needs a name of its own (WCAG, axe's
// landmark-unique). The theme makes them after the page is there, so they are waited for.
const name = () =>
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((nav) => {
    const all = [...document.querySelectorAll(".md-code__nav")];
    nav.setAttribute("aria-label", `Code block ${all.indexOf(nav) + 1}`);
  });
new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();

// A table that is wider than the window scrolls, which a keyboard must reach, too (WCAG 2.2, 2.1.1, axe's
// scrollable-region-focusable). One that fits is no stop of the Tab key.
const reach = ({ target }) => {
  const all = [...document.querySelectorAll(".md-typeset__scrollwrap")];
  const wide = target.scrollWidth > target.clientWidth;
  const marks = { tabindex: "0", role: "group", "aria-label": `Table ${all.indexOf(target) + 1}` };
  Object.entries(marks).forEach(([mark, value]) =>
    wide ? target.setAttribute(mark, value) : target.removeAttribute(mark),
  );
};
const widths = new ResizeObserver((entries) => entries.forEach(reach));
const watch = () => document.querySelectorAll(".md-typeset__scrollwrap").forEach((table) => widths.observe(table));
new MutationObserver(watch).observe(document.body, { childList: true, subtree: true });
watch();
