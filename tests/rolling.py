"""A layer of two versions, and manifests that roll the newer one out."""

from planning import arn, layer

OLD, NEW = arn("web", 1), arn("web", 2)
LAYERS = "layers:\n" + layer("web")


def rolling(entry="layers: [web]", **rollout):
    settings = ", ".join(f"{key}: {value}" for key, value in rollout.items())
    return LAYERS + f'functions: {{"*": {{{entry}}}}}\n' + (f"rollout: {{{settings}}}\n" if settings else "")
