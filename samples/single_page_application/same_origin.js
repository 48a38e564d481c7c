// A page that the service itself serves: the session's cookie goes along by itself, and no script sees a token.

// docs: same origin
async function call(path, options = {}) {
  const answer = await fetch(path, options);
  if (answer.status === 401) {
    const here = encodeURIComponent(location.pathname + location.search);
    location.assign(`/auth/login?return_to=${here}`);
  }
  return answer;
}
// docs: end

const answer = await call("/me");
if (answer.ok) {
  document.getElementById("shown").textContent = (await answer.json()).name;
}
document.getElementById("cancel").addEventListener("click", async () => {
  const { status } = await call("/orders/1", { method: "DELETE" });
  document.getElementById("shown").textContent = status;
});
