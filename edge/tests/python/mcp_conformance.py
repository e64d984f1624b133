"""A server made with the official SDK (either generation) that has what the conformance suite asks of
one.

    mcp_conformance.py PORT

Prints `listening on PORT` once it accepts.
"""

import asyncio
import base64
import socket
import sys

import uvicorn
from mcp.types import (
    AudioContent,
    Completion,
    EmbeddedResource,
    ImageContent,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

try:
    from mcp.server.fastmcp import Context, FastMCP as Server
    from mcp.server.fastmcp.prompts.base import UserMessage
except ImportError:
    from mcp.server.mcpserver import Context, MCPServer as Server
    from mcp.server.mcpserver.prompts.base import UserMessage

PORT = int(sys.argv[1])
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
server = Server("edge-conformance", log_level="ERROR")
tool = lambda function: server.tool(structured_output=False)(function)


def text(words):
    return TextContent(type="text", text=words)


# The fields have other names in the second generation, and the old ones on the wire.
def image():
    return ImageContent.model_validate({"type": "image", "data": PNG, "mimeType": "image/png"})


def embedded(uri, mime, words):
    contents = TextResourceContents.model_validate({"uri": uri, "mimeType": mime, "text": words})
    return EmbeddedResource(type="resource", resource=contents)


@tool
def test_simple_text() -> list:
    """Says something."""
    return [text("This is a simple text response for testing.")]


@tool
def test_image_content() -> list:
    """Shows something."""
    return [image()]


@tool
def test_audio_content() -> list:
    """Plays something."""
    return [AudioContent.model_validate({"type": "audio", "data": WAV, "mimeType": "audio/wav"})]


@tool
def test_embedded_resource() -> list:
    """Holds a resource."""
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@tool
def test_multiple_content_types() -> list:
    """Holds several things."""
    data = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [text("Multiple content types test:"), image(), data]


@tool
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs while it runs."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
        await asyncio.sleep(0.05)
    return "logged"


@tool
def test_error_handling() -> str:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@tool
async def test_tool_with_progress(ctx: Context) -> str:
    """Reports progress."""
    for step in (0, 50, 100):
        await ctx.report_progress(step, 100)
        await asyncio.sleep(0.05)
    return "done"


@tool
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Asks the client's model."""
    message = SamplingMessage(role="user", content=text(prompt))
    # On the stream of this call: another one may not be open yet.
    answer = await ctx.session.create_message(
        messages=[message], max_tokens=100, related_request_id=ctx.request_id
    )
    return f"LLM response: {answer.content.text}"


class User(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


@tool
async def test_elicitation(message: str, ctx: Context) -> str:
    """Asks the user."""
    answer = await ctx.elicit(message, User)
    return f"User response: action={answer.action}"


@tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks the user with suggestions."""
    answer = await ctx.elicit("Who is it?", Defaults)
    return f"Elicitation completed: action={answer.action}"


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """Text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return base64.b64decode(PNG)


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    """One of many."""
    return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


@server.prompt()
def test_simple_prompt() -> str:
    """Says something."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Says what it is told."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list:
    """Holds a resource."""
    held = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(held), UserMessage("Please process the embedded resource above.")]


@server.prompt()
def test_prompt_with_image() -> list:
    """Shows something."""
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


@server.completion()
async def complete(ref, argument, context):
    """Suggests something."""
    return Completion.model_validate({"values": ["paris", "park", "party"], "total": 3, "hasMore": False})


class Announcing(uvicorn.Server):
    """Says when it accepts connections."""

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        print("listening on", PORT, flush=True)


if __name__ == "__main__":
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", PORT))
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    asyncio.run(Announcing(config).serve(sockets=[listener]))
