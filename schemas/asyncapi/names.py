"""How topics and messages are named within the AsyncAPI document."""

from typing import Any, Final

from pydantic import BaseModel

from schemas.topics import Topic

BINDING_VERSION: Final = "0.5.0"
"""Version of the Kafka bindings that the document uses."""


def summary(model: type[BaseModel]) -> str:
    """Returns: the first line of a model's docstring."""
    return (model.__doc__ or "").strip().splitlines()[0]


def message(topic: Topic[Any]) -> str:
    """Returns: the name of a topic's message in the document."""
    return topic.message.__name__


def words(name: str) -> str:
    """Returns: a topic's name as a title."""
    return name.replace("-", " ").capitalize()


def pascal(name: str) -> str:
    """Returns: a topic's name in PascalCase."""
    return "".join(part.capitalize() for part in name.split("-"))


def camel(name: str) -> str:
    """Returns: a topic's name in camelCase."""
    name = pascal(name)
    return name[0].lower() + name[1:]
