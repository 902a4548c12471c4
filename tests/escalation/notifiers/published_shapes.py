"""What the receivers' own documentation says of the bodies that they take, as JSON schemas.

Each holds what its page names, with its limits; what a page does not name is refused here.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker


def text(most: int | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "string", **({} if most is None else {"maxLength": most}), **more}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def listed(items: Any, least: int = 0, most: int | None = None) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, **({} if most is None else {"maxItems": most})}


# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes
CLOUDEVENT = record(
    {
        "id": text(minLength=1),
        "source": text(minLength=1, format="uri-reference"),
        "specversion": {"const": "1.0"},
        "type": text(minLength=1),
    },
    {
        "datacontenttype": text(minLength=1),
        "subject": text(minLength=1),
        "time": text(format="date-time"),
        "data": {"type": "object"},
    },
)

# https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, postableAlerts
_LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
ALERTS = listed(
    record(
        {"labels": _LABELS},
        {
            "annotations": _LABELS,
            "startsAt": text(format="date-time"),
            "endsAt": text(format="date-time"),
            "generatorURL": text(format="uri"),
        },
    ),
    least=1,
)

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events
PAGERDUTY_EVENT = record(
    {"routing_key": text(32, minLength=32), "event_action": {"enum": ["trigger", "acknowledge", "resolve"]}},
    {
        "dedup_key": text(255, minLength=1),
        "payload": record(
            {
                "summary": text(1024, minLength=1),
                "source": text(minLength=1),
                "severity": {"enum": ["critical", "error", "warning", "info"]},
            },
            {
                "timestamp": text(format="date-time"),
                "component": text(),
                "group": text(),
                "class": text(),
                "custom_details": {"type": "object"},
            },
        ),
        "images": listed(record({"src": text(format="uri")}, {"href": text(format="uri"), "alt": text()})),
        "links": listed(record({"href": text(format="uri")}, {"text": text()})),
        "client": text(),
        "client_url": text(format="uri"),
    },
)

# https://docs.slack.dev/reference/block-kit/blocks and the types of its own SDK for rich text
_STYLE = record({}, {name: {"type": "boolean"} for name in ("bold", "code", "italic", "strike")})
_RICH = {
    "oneOf": [
        record({"type": {"const": "text"}, "text": text(minLength=1)}, {"style": _STYLE}),
        record({"type": {"const": "link"}, "url": text(3000, format="uri")}, {"text": text(), "style": _STYLE}),
    ]
}
_SECTION = record({"type": {"const": "rich_text_section"}, "elements": listed(_RICH, least=1)})
_LIST = record(
    {
        "type": {"const": "rich_text_list"},
        "style": {"enum": ["bullet", "ordered"]},
        "elements": listed(_SECTION, least=1),
    }
)


def _plain(most: int) -> dict[str, Any]:
    return record({"type": {"const": "plain_text"}, "text": text(most, minLength=1), "emoji": {"const": False}})


SLACK_MESSAGE = record(
    {
        "text": text(3000, minLength=1),
        "blocks": listed(
            {
                "oneOf": [
                    record({"type": {"const": "header"}, "text": _plain(150)}),
                    record({"type": {"const": "divider"}}),
                    record({"type": {"const": "context"}, "elements": listed(_plain(3000), least=1, most=10)}),
                    record({"type": {"const": "rich_text"}, "elements": listed({"oneOf": [_SECTION, _LIST]}, least=1)}),
                ]
            },
            least=1,
            most=50,
        ),
    },
    {
        "channel": text(),
        "thread_ts": text(),
        "reply_broadcast": {"type": "boolean"},
        "unfurl_links": {"type": "boolean"},
        "unfurl_media": {"type": "boolean"},
    },
)

# https://adaptivecards.io/explorer, of what version 1.2 has
_RUN = record(
    {"type": {"const": "TextRun"}, "text": text()},
    {
        "weight": {"enum": ["Lighter", "Default", "Bolder"]},
        "size": {"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
        "isSubtle": {"type": "boolean"},
        "fontType": {"enum": ["Default", "Monospace"]},
    },
)
_RUNS = record(
    {"type": {"const": "RichTextBlock"}, "inlines": listed(_RUN, least=1)},
    {"spacing": {"enum": ["Default", "None", "Small", "Medium", "Large", "ExtraLarge", "Padding"]}},
)
_OPEN = record({"type": {"const": "Action.OpenUrl"}, "url": text(format="uri")}, {"title": text(minLength=1)})
_ACTIONS = record({"type": {"const": "ActionSet"}, "actions": listed(_OPEN, least=1, most=6)})
_CONTAINER = record(
    {"type": {"const": "Container"}, "items": listed({"oneOf": [_RUNS, _ACTIONS]}, least=1)},
    {
        "style": {"enum": ["default", "emphasis", "good", "attention", "warning", "accent"]},
        "bleed": {"type": "boolean"},
    },
)
TEAMS_MESSAGE = record(
    {
        "type": {"const": "message"},
        "attachments": listed(
            record(
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "content": record(
                        {
                            "type": {"const": "AdaptiveCard"},
                            "version": {"const": "1.2"},
                            "body": listed({"oneOf": [_CONTAINER, _RUNS]}, least=1),
                        },
                        {
                            "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
                            "fallbackText": text(minLength=1),
                            "msteams": record({"width": {"const": "Full"}}),
                        },
                    ),
                },
                {"contentUrl": {"type": "null"}},
            ),
            least=1,
            most=1,
        ),
    }
)


def check(body: Any, shape: dict[str, Any]) -> None:
    """Fail where a body is not of a shape."""
    errors = [f"{error.json_path}: {error.message[:200]}" for error in _validator(shape).iter_errors(body)]
    assert errors == []


def _validator(shape: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(shape, format_checker=FormatChecker())
