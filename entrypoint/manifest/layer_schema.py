"""What lambda-layers.yml may say of a layer: one declaration for the parser and for editors."""

from entrypoint.manifest.fields import Field, Flag, FlagOr, ListOf, MapOf, Number, Record, String
from entrypoint.manifest.runtimes import RUNTIMES, Architecture

DEFAULT_NAME = "{layer}-{runtime}-{architecture}"
DEFAULT_BUILDER = "public.ecr.aws/sam/build-{runtime}:latest-{architecture}"
PACKAGE_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PRESETS = ("tests", "stubs", "docs")
RULE_IDS = (
    "empty-layer",
    "unzipped-size",
    "size-budget",
    "file-count",
    "contested-path",
    "case-collision",
    "elf-machine",
    "damaged-elf",
    "symbol-version",
    "needed-library",
    "cpython-suffix",
    "missing-dependency",
    "requires-python",
    "runtime-sdk",
    "import",
)
REQUIREMENTS_ENDINGS = (".in", ".txt", ".toml")

LAYER = Record(
    {
        "requirements": Field(
            shape=ListOf(String("a requirements file or a requirement"), single=True),
            help="a requirements file or pyproject.toml, several, or requirements such as 'requests>=2'",
        ),
        "extras": Field(
            shape=ListOf(String("an extra", PACKAGE_NAME)), help="the extras to take of a pyproject.toml"
        ),
        "groups": Field(
            shape=ListOf(String("a dependency group", PACKAGE_NAME)),
            help="the dependency groups to take of a pyproject.toml",
        ),
        "runtimes": Field(
            shape=ListOf(String("runtime", choices=tuple(RUNTIMES))),
            help="the Lambda runtimes to build for",
            required=True,
        ),
        "architectures": Field(
            shape=ListOf(String("architecture", choices=tuple(Architecture))),
            help="the architectures to build for; [x86_64] where it is not written",
        ),
        "include": Field(
            shape=ListOf(String("a path"), single=True),
            help="modules and packages of the repository to put under python/, without what git ignores",
        ),
        "content": Field(
            shape=String("a folder"),
            help="a folder laid into /opt as it is: bin/, lib/, a custom runtime's bootstrap",
        ),
        "exclude": Field(
            shape=ListOf(String("a pattern or a preset")),
            help=f"what to leave out: presets ({', '.join(PRESETS)}) and patterns as in .gitignore",
        ),
        "strip": Field(
            shape=Flag(),
            help="leave out the debug symbols of compiled code, which Lambda never reads; false by default",
        ),
        "bytecode": Field(
            shape=FlagOr("auto"),
            help="bytecode for quick cold starts: true insists, auto makes it where the Python is at hand",
        ),
        "verify": Field(
            shape=String("a kind of verification", choices=("static", "import")),
            help="static, the default, or import: also import every top-level module in the runtime's image",
        ),
        "size_budget": Field(
            shape=String("a size", r"[0-9]+(?:\.[0-9]+)? ?(?:kB|MB|GB)"),
            help="the most that the layer may have unzipped, such as 80 MB",
        ),
        "ignore": Field(
            shape=MapOf(String("a reason"), "|".join(RULE_IDS), "a rule"),
            help="rules of docs/rules.md that do not count for this layer, each with the reason",
        ),
        "lock": Field(
            shape=String("the path of a pinned requirements file"),
            help="your own pinned requirements or pylock.toml; {runtime} and {architecture} are filled in",
        ),
        "from_source": Field(
            shape=ListOf(String("the name of a package", PACKAGE_NAME)),
            help="packages to compile from their source even where a wheel fits",
        ),
        "builder_image": Field(
            shape=String("the name of an image", r"\S+"),
            help="the image to compile in; {runtime} and {architecture} are filled in",
        ),
        "system_packages": Field(
            shape=ListOf(String("the name of a system package", r"[A-Za-z0-9][A-Za-z0-9.+:_-]*")),
            help="what compiling needs installed in that image, by the names of its package manager",
        ),
        "name": Field(
            shape=String(
                "a template of a layer's name", r"(?:[a-zA-Z0-9_-]|\{layer\}|\{runtime\}|\{architecture\})+"
            ),
            help="the layer's name in AWS; {layer}, {runtime} and {architecture} are filled in",
        ),
        "description": Field(
            shape=String("a description", longest=150),
            help="begins the description of each layer version, before the dependency hash",
        ),
        "share": Field(
            shape=Record(
                {
                    "accounts": Field(
                        shape=ListOf(String("an account's number in quotes", r"[0-9]{12}")),
                        help="accounts that may use it",
                    ),
                    "organization": Field(
                        shape=String("an organization's id", r"o-[a-z0-9]{10,32}"),
                        help="an organization whose accounts may use it",
                    ),
                    "public": Field(shape=Flag(), help="let everybody use it"),
                },
                any_of=("accounts", "organization", "public"),
            ),
            help="who else may use each version",
        ),
        "keep": Field(
            shape=Number("a number of versions", least=1),
            help="delete versions beyond the newest so many that no function uses; none by default",
        ),
        "license": Field(
            shape=String("a licence", longest=512),
            help="an SPDX identifier, an address, or the licence's text",
        ),
    },
    any_of=("requirements", "include", "content"),
)
