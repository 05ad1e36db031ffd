// The errors of a form, each beside its field.

/** Makes a function that shows sentences by field, and a general one in `.general`. */
export function fieldErrors(form) {
  return (fields, message = "") => {
    for (const field of form.elements) {
      const place = form.querySelector(`#${field.id}_error`);
      if (!place) continue;
      place.textContent = (fields[field.name] ?? []).join(" ");
      field.setAttribute("aria-invalid", Boolean(place.textContent));
    }
    const general = Object.keys(fields).length ? fields.__all__?.join(" ") : message;
    form.querySelector(".general").textContent = general ?? "";
  };
}
