// The content form: which fields a kind has, the two ways of writing a condition, and tags added to a fieldset.
"use strict";

const form = document.querySelector("#content-form");
const condition = document.querySelector("#condition");

function showFieldsOfKind() {
  const kind = form.elements.kind.value;
  for (const part of form.querySelectorAll("[data-kinds]")) part.hidden = !part.dataset.kinds.split(" ").includes(kind);
}

function showMode() {
  const mode = form.elements.mode.value;
  for (const part of form.querySelectorAll("[data-mode]")) part.hidden = part.dataset.mode !== mode;
}

function noteEmpty(choice) {
  choice.querySelector("[data-none]").hidden = !!choice.querySelector("[data-chips] input");
}

function addTag({ add, key, name, tone }) {
  const choice = form.querySelector(`[data-choice="${add}"]`);
  const standing = [...choice.querySelectorAll("[data-chips] input")].find((input) => input.value === key);
  if (standing) return;
  const label = document.createElement("label");
  label.className = `chip chip-${tone}`;
  const box = Object.assign(document.createElement("input"), { type: "checkbox", name: add, value: key, checked: true });
  label.append(box, ` ${name}`);
  choice.querySelector("[data-none]").before(label);
  noteEmpty(choice);
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

form.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add]");
  if (button) addTag(button.dataset);
});

form.addEventListener("change", (event) => {
  if (event.target.name === "kind") showFieldsOfKind();
  if (event.target.name === "mode") showMode();
  const choice = event.target.closest("[data-choice]");
  if (choice && event.target.type === "checkbox" && !event.target.checked) {
    // After the count was asked for without it: a chip that is gone cannot be unchecked any more.
    setTimeout(() => {
      event.target.closest("label").remove();
      noteEmpty(choice);
      choice.querySelector("input[type=search]").focus();
    });
  }
});

// Another file shows in the preview too.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "file") event.target.dispatchEvent(new Event("input", { bubbles: true }));
});

function addFirst(search) {
  const found = search.nextElementSibling.querySelector("[data-found]");
  search.dataset.waits = found?.dataset.found === search.value.trim() ? "" : "yes";
  if (!search.dataset.waits) found.querySelector("[data-add]")?.click();
}

// What is searched for is not part of the item: its change must not count as one.
for (const search of form.querySelectorAll(".picker input")) {
  search.addEventListener("change", (event) => event.stopPropagation());
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    addFirst(search);
  });
  // Whoever presses Enter before the answer is there means the answer, not what stands there still.
  search.nextElementSibling.addEventListener("htmx:afterSwap", () => { if (search.dataset.waits) addFirst(search); });
}

showFieldsOfKind();
showMode();
if (condition) document.querySelector("#problems")?.focus();
