"""What lambda-layers.yml may say: one declaration for the parser and for editors."""

from entrypoint.runtimes import RUNTIMES, Architecture
from entrypoint.shapes import Constant, Field, Flag, FlagOr, ListOf, MapOf, Record, String

DEFAULT_PATH = "lambda-layers.yml"
LAYER_NAME = r"[a-zA-Z0-9_-]{1,100}"
LAYER_VERSION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]+:[0-9]+"
FUNCTION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,140}"
FUNCTION_GLOB = r"[a-zA-Z0-9_*?\[\]!-]{1,140}"
DEFAULT_NAME = "{layer}-{runtime}-{architecture}"
PACKAGE_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
DEFAULT_BUILDER = "public.ecr.aws/sam/build-{runtime}:latest-{architecture}"
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

_LAYER = Record(
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
        "license": Field(
            shape=String("a licence", longest=512),
            help="an SPDX identifier, an address, or the licence's text",
        ),
    },
    any_of=("requirements", "include", "content"),
)

_FUNCTION = Record(
    {
        "layers": Field(
            shape=ListOf(
                String(
                    "a layer of this manifest or a layer version's ARN", rf"{LAYER_NAME}|{LAYER_VERSION_ARN}"
                )
            ),
            help="layers of this manifest and layer version ARNs; later ones overlay earlier ones",
            required=True,
        ),
        "exclusive": Field(shape=Flag(), help="take off this manifest's other layers; false by default"),
    }
)

MANIFEST = Record(
    {
        "version": Field(shape=Constant(1), help="the version of this format: 1", required=True),
        "regions": Field(
            shape=ListOf(String("a region", r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]")),
            help="the regions to publish in; the region of the AWS credentials where it is not written",
        ),
        "layers": Field(
            shape=MapOf(_LAYER, LAYER_NAME, "a name that AWS takes for a layer"),
            help="the layers by name",
            required=True,
        ),
        "functions": Field(
            shape=MapOf(_FUNCTION, f"{FUNCTION_GLOB}|{FUNCTION_ARN}", "a function's name, ARN or glob"),
            help="the functions that use them, by name, ARN or glob; the first that matches counts",
        ),
        "s3": Field(
            shape=Record(
                {
                    "bucket": Field(
                        shape=String("a bucket's name", r"[a-z0-9.{}-]{3,63}"),
                        help="the bucket for archives over 50 MB; {region} is filled in",
                        required=True,
                    ),
                    "prefix": Field(
                        shape=String("a key prefix", longest=512), help="what its keys begin with"
                    ),
                }
            ),
            help="where archives go that are too large to be sent directly",
        ),
    },
    extensions=True,
)
