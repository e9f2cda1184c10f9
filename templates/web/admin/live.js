// Counts a segment while its form is filled in. Each form with data-live is posted to that address a moment after the
// last change, and the answer, a piece of a page made by the server, stands in the form's output. Without this script
// the button does the same. When the server does not answer with a count, the form's data-trouble says so.
"use strict";

for (const form of document.querySelectorAll("form[data-live]")) {
  const output = form.querySelector("output");
  let timer = 0;
  let asked = 0; // the number of the latest question; answers to earlier ones are dropped

  async function ask() {
    const number = ++asked;
    const fields = new URLSearchParams(new FormData(form));
    fields.delete("address"); // nobody's address is needed to count
    let text = "";
    try {
      const answer = await fetch(form.dataset.live, {
        method: "POST",
        body: fields,
        redirect: "error", // to sign in again is for the button
      });
      if (answer.ok) text = await answer.text();
    } catch {
      // nobody answers: what stood there would be of another form
    }
    if (number !== asked) return;
    if (text) output.innerHTML = text;
    else output.textContent = form.dataset.trouble;
  }

  form.addEventListener("input", () => {
    asked++;
    clearTimeout(timer);
    timer = setTimeout(ask, 300);
  });
}
