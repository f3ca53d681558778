"""The stand-in is as strict as Google's API: a test that passes against it must mean something."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import types

from tests.fakes.gemini import GeminiStandIn
from tests.fakes.gemini_books import SKIP
from tests.fakes.gemini_script import Cut, Json, Search, Thought, Use, Words

PATH = "/v1/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
ANY = base64.b64encode(SKIP).decode()
CLOCK = {"name": "clock", "description": "The time."}
CALL = {"functionCall": {"id": "c1", "name": "clock", "args": {}}, "thoughtSignature": ANY}
RESULT = {"functionResponse": {"id": "c1", "name": "clock", "response": {"output": "noon"}}}
SEARCHED = [
    {"toolCall": {"id": "s1", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}, "thoughtSignature": ANY},
    {"toolResponse": {"id": "s1", "toolType": "GOOGLE_SEARCH_WEB", "response": {}}, "thoughtSignature": ANY},
]
PIXEL = {"inlineData": {"mimeType": "image/png", "data": "/+8="}}


def said(*turns: tuple[str, Any], **changes: Any) -> Json:
    """A body with these turns; a string is one text part."""
    contents = [
        {"role": role, "parts": [{"text": parts}] if isinstance(parts, str) else parts}
        for role, parts in turns
    ]
    return {"contents": contents, **changes}


def used(call: Json = CALL, *results: Json) -> Json:
    return said(("user", "Time?"), ("model", [call]), ("user", list(results) or [RESULT]))


@pytest.fixture
async def api() -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn.started() as stand_in:
        yield stand_in


@pytest.fixture
async def http(api: GeminiStandIn) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"x-goog-api-key": "AIza-test", "content-type": "application/json"}
    async with httpx2.AsyncClient(base_url=api.url, headers=headers) as client:
        yield client


def without(value: Json, *path: str) -> Json:
    """A copy with the field at the end of the path taken out."""
    first, *rest = path
    copy = {name: item for name, item in value.items() if name != first}
    return {**copy, first: without(value[first], *rest)} if rest else copy


HI = said(("user", "Hi"))
TAKEN = {
    "words": HI,
    "snake case": said(("user", [{"inline_data": {"mime_type": "image/png", "data": "_-8="}}])),
    "a call and its result": used(),
    "two users in turn": said(("user", "Hi"), ("user", "There?")),
    "a search beside functions": said(
        ("user", "Hi"),
        ("model", SEARCHED),
        ("user", "And?"),
        tools=[{"googleSearch": {}}, {"functionDeclarations": [CLOCK]}],
        toolConfig={"includeServerSideToolInvocations": True},
    ),
    "an empty part with a signature": said(
        ("user", "Hi"), ("model", [{"text": "", "thoughtSignature": ANY}]), ("user", "And?")
    ),
}
REFUSED = [
    ("an unknown field", HI | {"max_tokens": 5}, 'Unknown name "max_tokens"'),
    ("an unknown field inside", said(("user", [{"words": "Hi"}])), 'Unknown name "words"'),
    ("nothing", {"contents": []}, "contents is not specified"),
    ("a turn of nobody", said(("assistant", "Hi")), "valid role"),
    ("a turn without parts", said(("user", [])), "parts must not be empty"),
    ("an empty part", said(("user", [{"text": ""}])), "must not be empty"),
    ("a part of nothing", said(("user", [{"thought": True}])), "one initialized field"),
    ("a part of two", said(("user", [{"text": "Hi", **PIXEL}])), "one initialized field"),
    ("null", said(("user", [{"text": None}])), "null"),
    ("half a character", said(("user", "\ud83d")), "surrogate"),
    ("the model last", said(("user", "Hi"), ("model", "Hello")), "ending with a model turn"),
    ("two models in turn", said(("user", "a"), ("model", "b"), ("model", "c"), ("user", "d")), "alternate"),
    (
        "a call without its result",
        said(("user", "a"), ("model", [CALL]), ("user", "b")),
        "number of function",
    ),
    ("a result without its call", said(("user", [RESULT])), "immediately after a function call"),
    ("one result too many", used(CALL, RESULT, RESULT), "number of function response"),
    ("a result of another call", used({**CALL, "functionCall": {"id": "c2", "name": "clock"}}), "match"),
    ("a result of no object", used(CALL, without(RESULT, "functionResponse", "response")), "empty"),
    ("a call of the first turn", said(("model", [CALL]), ("user", [RESULT])), "function call turn comes"),
    ("a call without a signature", used(without(CALL, "thoughtSignature")), "missing a thought_signature"),
    ("a made up signature", used({**CALL, "thoughtSignature": "QUFBQQ=="}), "Corrupted thought signature"),
    ("a call by the person", said(("user", [CALL])), "part of the model's"),
    ("a picture by the model", said(("user", "a"), ("model", [PIXEL]), ("user", "b")), "part of the user's"),
    (
        "a kind it cannot read",
        said(("user", [{"inlineData": {"mimeType": "image/gif", "data": ""}}])),
        "MIME",
    ),
    ("a search that nobody let in", said(("user", "a"), ("model", SEARCHED), ("user", "b")), "circulation"),
    ("a search without its result", said(("user", "a"), ("model", SEARCHED[:1]), ("user", "b")), "not match"),
    (
        "search and functions",
        HI | {"tools": [{"googleSearch": {}}, {"functionDeclarations": [CLOCK]}]},
        "enable",
    ),
    ("an empty tool", HI | {"tools": [{}]}, "tool_type"),
    (
        "a name with a space",
        HI | {"tools": [{"functionDeclarations": [{"name": "a b"}]}]},
        "Invalid function",
    ),
    (
        "an object without properties",
        HI | {"tools": [{"functionDeclarations": [{**CLOCK, "parametersJsonSchema": {"type": "object"}}]}]},
        "non-empty for OBJECT",
    ),
    ("a mode without functions", HI | {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}, "without"),
    ("a temperature", HI | {"generationConfig": {"temperature": 1}}, "temperature is not supported"),
    ("two candidates", HI | {"generationConfig": {"candidateCount": 2}}, "candidateCount is not supported"),
    ("a budget", HI | {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, "thinkingBudget"),
    ("no output", HI | {"generationConfig": {"maxOutputTokens": 0}}, "supported range"),
    ("too much output", HI | {"generationConfig": {"maxOutputTokens": 65_537}}, "supported range"),
]


@pytest.mark.parametrize("name", TAKEN)
async def test_what_the_api_takes_is_answered(http: httpx2.AsyncClient, name: str) -> None:
    response = await http.post(PATH, content=json.dumps(TAKEN[name]))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(("name", "body", "says"), REFUSED, ids=[name for name, _, _ in REFUSED])
async def test_what_the_api_refuses_is_refused(
    http: httpx2.AsyncClient, name: str, body: Json, says: str
) -> None:
    response = await http.post(PATH, content=json.dumps(body))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert says in error["message"]


async def test_only_its_own_models_version_and_form_are_served(http: httpx2.AsyncClient) -> None:
    body = json.dumps(HI)
    unknown = await http.post(PATH.replace("3.8", "0.1"), content=body)
    assert (unknown.status_code, unknown.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert (await http.post(PATH.replace("/v1/", "/v1beta/"), content=body)).status_code == 404
    assert (await http.post(PATH.removesuffix("?alt=sse"), content=body)).status_code == 400


async def test_a_key_is_asked_for_and_a_wrong_one_is_a_400(
    api: GeminiStandIn, http: httpx2.AsyncClient
) -> None:
    api.api_key = "the right one"
    wrong = await http.post(PATH, content=json.dumps(HI))
    assert (wrong.status_code, wrong.json()["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    del http.headers["x-goog-api-key"]
    none = await http.post(PATH, content=json.dumps(HI))
    assert (none.status_code, none.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_a_signature_is_of_one_part_of_one_model(api: GeminiStandIn, http: httpx2.AsyncClient) -> None:
    api.say(Use("clock", {"zone": "UTC"}, id="c1"))
    await http.post(PATH, content=json.dumps(HI))
    made = api.requests[0].answer[0]
    right, elsewhere = used(made), PATH.replace("3.8-flash", "4-argon")
    changed = used({**made, "functionCall": {**made["functionCall"], "args": {"zone": "CET"}}})
    urlsafe = made["thoughtSignature"].replace("+", "-").replace("/", "_")
    assert urlsafe != made["thoughtSignature"]
    for path, body, code in (
        (PATH, right, 200),
        (PATH, used({**made, "thoughtSignature": urlsafe}), 200),
        (PATH, changed, 400),
        (elsewhere, right, 400),
    ):
        assert (await http.post(path, content=json.dumps(body))).status_code == code


async def test_the_sdk_reads_every_chunk_and_keeps_every_part(api: GeminiStandIn) -> None:
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=api.url))
    api.say(Thought("Hm."), Search(("a",), (("t", "https://x.example"),)), Words("Words."), Use("clock"))
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True),
        tools=[types.Tool(google_search=types.GoogleSearch())],
    )
    stream = await client.aio.models.generate_content_stream(
        model="gemini-3.8-flash", contents="Hi", config=config
    )
    chunks = [chunk async for chunk in stream]
    await client.aio.aclose()
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert all(part.model_dump(exclude_none=True) for part in parts)
    assert len(parts) == len(api.requests[0].answer)
    assert chunks[-1].candidates[0].finish_reason.value == "STOP"
    assert chunks[-1].candidates[0].grounding_metadata.grounding_chunks[0].web.uri == "https://x.example"
    bill = api.requests[0].bill
    assert bill is not None
    assert chunks[-1].usage_metadata.thoughts_token_count == bill.thoughts > 0


async def test_a_caller_that_leaves_and_a_cut_are_what_they_are(
    api: GeminiStandIn, http: httpx2.AsyncClient
) -> None:
    api.say(Words("Half of it"), Cut())
    with pytest.raises(httpx2.HTTPError):
        await http.post(PATH, content=json.dumps(HI))
    api.say(Words("Half of it"), Cut(clean=True))
    whole = await http.post(PATH, content=json.dumps(HI))
    assert "finishReason" not in whole.text
    api.say(Words("long"), before=60)
    with pytest.raises(httpx2.TimeoutException):
        await http.post(PATH, content=json.dumps(HI), timeout=0.2)
    await api.requests[-1].disconnected.wait()
