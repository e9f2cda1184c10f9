"""The ways out for messages, one module each; every one fulfils `ports.Transport`.

`smtp` speaks to a relay or a provider's submission server, `outbox` writes `.eml` files, `sandbox` runs a
whole SMTP server inside the process. None of them retries, renders or alters anything: they carry a finished
`Message` and say what its attempt ended in. `bootstrap` picks one by the URL of the setting `transport`.
"""
