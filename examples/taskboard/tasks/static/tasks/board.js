// Labels carry their colour as data, so that the pages need no inline styles.
for (const label of document.querySelectorAll(".label[data-color]")) {
  label.style.backgroundColor = label.dataset.color;
}

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button")) button.disabled = true;
});
