const link = document.querySelector("a.first");
const state = new URL(link.href).searchParams.get("state");
link.addEventListener("click", (event) => {
  event.preventDefault();
  window.open(link.href, "", "popup,width=520,height=680");
});
window.goOn = (answer) => {
  if (new URLSearchParams(new URL(answer, location).search).get("state") !== state) return false;
  location.replace(answer);
  return true;
};
