for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(field);
    await navigator.clipboard.writeText(field.textContent);
    button.textContent = "Copied";
  });
}
