"""`make run`: from nothing to a product that has worked through its sample documents."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from local import estate, ollama, ports, secrets_file
from local.environment import LocalSettings, inherited
from local.errors import Obstacle
from local.estate import Estate
from local.program import Program, always
from local.servers import product
from local.session import first_problem, supervised
from local.supervisor import Supervisor

WORKERS = 2
PRODUCT = ("gateway", "worker_1", "worker_2", "delay")


async def run(state: Path, say: Callable[[str], None]) -> None:
    """Run everything until a signal or until something that cannot be restarted dies.

    Raises:
        Obstacle: with the sentence that says what to do.
    """
    began = time.monotonic()
    settings = LocalSettings()
    planned = estate.plan(
        state, ports.from_base(settings.port_base, settings.gateway_port), settings
    )
    planned = await _with_models(replace(planned, others=PRODUCT), say)
    async with supervised(planned, say) as supervisor:
        say("the servers are ready")
        with first_problem():
            async with asyncio.TaskGroup() as group:
                group.create_task(supervisor.failed())
                await bring_up(supervisor, planned, say)
                say(f"everything is up after {time.monotonic() - began:.0f} s")
                try:
                    await actionstream(supervisor, planned, "demo")
                except Obstacle as obstacle:
                    # What went wrong with a sample is found while all is up, not after.
                    say(f"{obstacle} Everything stays up: look with `make logs`.")
                _explain(planned)


async def bring_up(supervisor: Supervisor, planned: Estate, say: Callable[[str], None]) -> None:
    """Prepare tables, roles, indexes, bucket and topics, then start what works with them.

    Raises:
        Obstacle: one of them failed; what it said stands above on the terminal.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(actionstream(supervisor, planned, "migrate"))
        group.create_task(actionstream(supervisor, planned, "topics", "apply"))
    say("tables, roles, indexes, bucket and topics are there")
    workers = (
        product.worker(number, planned.places, planned.ports, planned.variables)
        for number in range(1, WORKERS + 1)
    )
    await supervisor.start(
        (
            product.gateway(planned.ports, planned.variables),
            *workers,
            product.delay(planned.places, planned.ports, planned.variables),
        )
    )
    say("gateway, workers and delay consumer are ready")


async def actionstream(supervisor: Supervisor, planned: Estate, *arguments: str) -> None:
    """Run one command of the product on this terminal.

    Raises:
        Obstacle: it failed.
    """
    command = Program(
        name=arguments[0],
        argv=(product.COMMAND, *arguments),
        env=inherited() | planned.variables,
        ready=always,
    )
    if code := await supervisor.perform(command):
        raise Obstacle(f"`actionstream {' '.join(arguments)}` failed ({code}); see above.")


async def _with_models(planned: Estate, say: Callable[[str], None]) -> Estate:
    settings = planned.settings
    found = await ollama.look(settings.ollama_url)
    if settings.models == "ollama":
        chosen = ollama.choose(found, settings.ollama_url, settings.chat_model)
        say(f"models: {chosen['ACTIONSTREAM_CHAT_MODEL']} of the Ollama at {settings.ollama_url}")
        variables = {**planned.variables, **chosen}
        secrets_file.write(planned.places.state, variables)
        return replace(planned, variables=variables)
    if found is not None:
        say(
            f"an Ollama answers at {found.url} with {', '.join(found.models) or 'no models'}; "
            "to use it: make run MODELS=ollama"
        )
    return planned.with_model_server()


def _explain(planned: Estate) -> None:
    """Print how the run ends; what to do with it stands above, in the words of the demo."""
    url = planned.variables["ACTIONSTREAM_GATEWAY_URL"]
    print(
        f"\nThe API stays up at {url}. Ctrl-C stops all that was started here and nothing else; "
        "the data stays for the next `make run`.\n",
        flush=True,
    )
