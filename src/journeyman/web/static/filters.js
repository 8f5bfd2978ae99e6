// A form that narrows a page down: it is sent by choosing, and leaves out what is empty.

const filters = document.querySelector("[data-filters]");
if (filters) {
  filters.querySelector("[data-needless]").hidden = true;
  filters.addEventListener("change", (event) => {
    if (event.target.type !== "search") filters.requestSubmit();
  });
  filters.addEventListener("submit", () => {
    for (const field of filters.elements) if (!field.value) field.disabled = true;
  });
  addEventListener("pageshow", () => { for (const field of filters.elements) field.disabled = false; });
}
