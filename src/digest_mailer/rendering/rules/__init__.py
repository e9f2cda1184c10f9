"""The rules that templates and finished editions are checked by; `services.linting` runs them.

`mjml_rules` reads the MJML that the templates made, `edition_rules` what a reader would get: HTML and text. Both
answer `core.finding.Finding`s. Each rule's code is explained in docs/reference/diagnostics.md.
"""
