"""An issue becomes finished HTML and plain text: pure functions over jinja2, mjml and premailer.

`model` says what a mail shows, `html` and `text` write it down with the publication's templates, `check`
looks at the result, `compile` does all of it and answers a `core.edition.Edition`.
"""
