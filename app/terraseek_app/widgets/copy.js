// Part of the module of each component with a button that copies.

async function copy(text) {
  // browsers offer the clipboard API on https and localhost only; execCommand works elsewhere
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

// The small button of the component, made at its first run.
export function smallButton(parentElement) {
  let button = parentElement.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    parentElement.append(button);
  }
  return button;
}

// Copy a text, and say so on the button for a moment.
export async function copyFrom(button, text, label) {
  await copy(text);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1400);
}
