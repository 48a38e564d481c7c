const list = document.querySelector("dl"), button = document.querySelector(".copy"), status = document.querySelector("[role=status]");
const line = (row) => [...row.children].map((part) => part.textContent.trim()).join(": ");
if (navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText([...list.children].map(line).join("\n"));
    status.textContent = "Copied";
  });
}
