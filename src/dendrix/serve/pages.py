"""Web pages of the server: what runs here, and the fields of its requests. They load nothing from elsewhere."""

import json
import re
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem 1rem .3rem 0;"
    "border-bottom:1px solid #ddd}code,pre{font-family:ui-monospace,monospace;font-size:.9em}"
    "pre{background:#f4f4f4;padding:1rem;overflow-x:auto}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}td,th{border-color:#444}a{color:#8ab4f8}}"
)


def start_page(model: str | None, address: str, openapi: dict[str, Any]) -> str:
    """Return the start page: the model, the operations of the server and an example.

    Args:
        model: name of the model; None where clients need a token, and so to know it.
        address: URL of the page.
        openapi: description of the server.
    """
    what = "A language model" if model is None else f"The language model <code>{escape(model)}</code>"
    rows = "".join(
        f"<tr><td><code>{method.upper()} {path}</code></td><td>{escape(about.get('description', ''))}</td></tr>"
        for path, methods in openapi["paths"].items()
        for method, about in methods.items()
    )
    example = escape(
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{address}v1", api_key="{"none" if model else "TOKEN"}")\n'
        f'answer = client.completions.create(model="{model or "MODEL"}", prompt="Once upon a time", max_tokens=50)\n'
        "print(answer.choices[0].text)"
    )
    body = (
        f"<h1>dendrix serve</h1><p>{what}, served by dendrix {openapi['info']['version']} with the APIs of OpenAI. "
        f'<a href="docs">Fields of the requests</a>, <a href="openapi.json">OpenAPI description</a>.</p>'
        f"<table>{rows}</table><h2>Example</h2><pre>{example}</pre>"
    )
    return _page("dendrix serve", body)


def reference_page(openapi: dict[str, Any]) -> str:
    """Return the page with the fields of all requests.

    Args:
        openapi: description of the server.
    """
    parts = ['<h1>Requests</h1><p>The same as <a href="openapi.json">OpenAPI description</a>. null stands for the default.</p>']
    for path, methods in openapi["paths"].items():
        for method, about in methods.items():
            parts.append(f"<h2><code>{method.upper()} {path}</code></h2><p>{escape(about.get('description', ''))}</p>")
            if body := about.get("requestBody"):
                parts += [_body(kind, content["schema"]) for kind, content in body["content"].items()]
    return _page("Requests to dendrix serve", "".join(parts))


def _body(kind: str, schema: dict[str, Any]) -> str:
    return _fields(schema) if kind == "application/json" else f"<p>The body is of the type <code>{escape(kind)}</code>.</p>"


def _fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    fields = sorted(schema["properties"].items(), key=lambda each: each[0] not in required)
    rows = "".join(
        f"<tr><td><code>{name}</code></td><td>{escape(_kind(field))}</td>"
        f"<td>{'required' if name in required else escape(_default(field))}</td>"
        f"<td>{_marked(field.get('description', ''))}</td></tr>"
        for name, field in fields
    )
    return f"<table><tr><th>field</th><th>values</th><th>default</th><th></th></tr>{rows}</table>"


def _kind(field: dict[str, Any]) -> str:
    """Describe the values of a field in words."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(each) for each in field["anyOf"] if each.get("type") != "null"))
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    kind = str(field.get("type", "any"))
    if kind == "array":
        return "list of " + _kind(field.get("items", {}))
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    parts = [f"{word} {field[name]:g}" for name, word in limits.items() if name in field]
    return " ".join(["none" if kind == "null" else kind, *parts])


def _default(field: dict[str, Any]) -> str:
    """Return the default as in JSON, or nothing where there is none."""
    default = field.get("default")
    return "" if default in (None, "") else json.dumps(default)


def _marked(text: str) -> str:
    """Return a description with its names in the font of code."""
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text))


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
