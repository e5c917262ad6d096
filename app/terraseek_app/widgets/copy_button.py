"""A button that copies text to the clipboard in the browser, without a rerun."""

import streamlit as st

__all__ = ["BUTTON_CSS", "copy_button"]

BUTTON_CSS = """
button {
  font: inherit; font-family: var(--st-font, sans-serif); font-size: 0.875rem; cursor: pointer;
  min-height: 2.1rem; padding: 0.1rem 0.6rem; white-space: nowrap;
  color: var(--st-text-color, inherit); background: var(--st-background-color, transparent);
  border: 1px solid var(--st-border-color, #26334a);
  border-radius: var(--st-button-radius, 8px);
}
@media (max-width: 1320px) { button { font-size: 0.76rem; padding-inline: 0.35rem; } }
button:hover { border-color: var(--st-primary-color, #2bb3a3); color: var(--st-primary-color); }
"""
"""Style of a small button inside a component."""

_JS = """
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

export default function ({ data, parentElement }) {
  let button = parentElement.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    parentElement.append(button);
  }
  button.textContent = data.label;
  button.title = data.text;
  button.onclick = async () => {
    await copy(data.text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = data.label; }, 1400);
  };
}
"""


@st.cache_resource(show_spinner=False)
def _component() -> object:
    return st.components.v2.component("terraseek_copy", css=BUTTON_CSS, js=_JS)


def copy_button(text: str, label: str, *, key: str) -> None:
    """Draw the button.

    Args:
        text: the text to copy.
        label: label of the button.
        key: widget key.
    """
    mount = _component()
    mount(key=key, data={"text": text, "label": label}, width="content")  # type: ignore[operator]
