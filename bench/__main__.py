"""`python -m bench NAME [OPTIONS]`: run one benchmark; without a name, list them."""

import importlib
import pkgutil
import sys

import bench


def main() -> int:
    """Returns: the benchmark's own exit code, or 2 where there is none of that name."""
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(bench.__path__)
        if hasattr(importlib.import_module(f"bench.{module.name}"), "main")
        and module.name != "__main__"
    )
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print("usage: python -m bench NAME [OPTIONS]\n\nbenchmarks:")
        for name in names:
            first, *_ = (importlib.import_module(f"bench.{name}").__doc__ or "").splitlines()
            print(f"  {name:<14} {first}")
        return 0 if sys.argv[1:] in ([], ["--help"]) else 2
    name = sys.argv.pop(1)
    code = importlib.import_module(f"bench.{name}").main()
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
