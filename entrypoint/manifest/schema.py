"""What lambda-layers.yml may say: one declaration for the parser and for editors."""

from entrypoint.manifest.fields import (
    Constant,
    Field,
    Flag,
    ListOf,
    MapOf,
    Number,
    PortionOf,
    Record,
    String,
)
from entrypoint.manifest.layer_schema import LAYER

DEFAULT_PATH = "lambda-layers.yml"
LAYER_NAME = r"[a-zA-Z0-9_-]{1,100}"
LAYER_VERSION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]+:[0-9]+"
ALIAS = r"(?![0-9]+$)[a-zA-Z0-9_-]{1,128}"
FUNCTION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,140}(?::[a-zA-Z0-9_-]+)?"
REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]"
ROLE_ARN = r"arn:[a-z-]+:iam::[0-9]{12}:role/[a-zA-Z0-9+=,.@_/-]+"
SEVERITIES = ("low", "moderate", "high", "critical")
"""As GitHub's advisories rate them, from the least severe on."""
FUNCTION_GLOB = r"[a-zA-Z0-9_*?\[\]!-]{1,140}"
# Below a slash or without any; AWS keeps names that begin with aws or ssm to itself.
PARAMETER_PART = r"(?:[a-zA-Z0-9_.-]|\{target\}|\{region\}|\{account\})+"
PARAMETER = rf"(?!/?(?:[aA][wW][sS]|[sS][sS][mM]))(?:{PARAMETER_PART}|(?:/{PARAMETER_PART})+)"

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
        "tag": Field(
            shape=MapOf(String("a tag's value"), r".{1,128}", "a tag's key"),
            help="mean the functions with these tags; the key of the entry is then but a label",
        ),
        "using": Field(
            shape=String("a layer of this manifest", LAYER_NAME),
            help="mean the functions that use any version of this layer; the key is then but a label",
        ),
        "exclusive": Field(shape=Flag(), help="take off this manifest's other layers; false by default"),
        "aliases": Field(
            shape=ListOf(String("an alias", ALIAS)),
            help="publish a version of the function after the update, and move these aliases to it",
        ),
        "vpc": Field(
            shape=Record(
                {
                    "subnets": Field(
                        shape=ListOf(String("a subnet's id", r"subnet-[0-9a-z]+")),
                        help="the private subnets, in two zones or more",
                        required=True,
                    ),
                    "security_groups": Field(
                        shape=ListOf(String("a security group's id", r"sg-[0-9a-z]+")),
                        help="the security groups",
                        required=True,
                    ),
                }
            ),
            help="attach the functions to these subnets; where it is not written, nothing is sent",
        ),
        "concurrency": Field(
            shape=Record(
                {
                    "reserved": Field(
                        shape=Number("a number of concurrent executions"),
                        help="what the function has for itself, and the most that it gets; 0 switches it off",
                    ),
                    "provisioned": Field(
                        shape=Number("a number of concurrent executions", least=1),
                        help="how many environments are kept ready on each of the entry's aliases",
                    ),
                },
                any_of=("reserved", "provisioned"),
            ),
            help="reserved and provisioned concurrency; where it is not written, nothing is sent",
        ),
        "alarms": Field(
            shape=Record(
                {
                    "actions": Field(
                        shape=ListOf(String("the ARN of what is told", r"arn:[a-z-]+:[a-z-]+:\S+")),
                        help="what an alarm tells, such as SNS topics; {region} is filled in",
                        required=True,
                    )
                }
            ),
            help="keep the CloudWatch alarms that AWS recommends; where it is not written, none is made",
        ),
    }
)

_ROLLOUT = Record(
    {
        "waves": Field(
            shape=ListOf(PortionOf("a count or a percentage of the functions")),
            help="how far each wave reaches, such as [1, 10%, 100%]; all at once where it is not written",
        ),
        "max_parallel": Field(
            shape=Number("a number of functions", least=1, most=200),
            help="how many functions are updated at a time; 48 by default",
        ),
        "failure_threshold": Field(
            shape=PortionOf("a count or a percentage of a wave"),
            help="how many functions of a wave may fail before it is put back; 0 by default",
        ),
        "canary": Field(
            shape=Number("a percentage", least=1, most=99),
            help="the percentage of an alias's traffic that goes to the new version until the check passed",
        ),
        "check": Field(
            shape=Record(
                {
                    "alarms": Field(
                        shape=ListOf(String("an alarm's name", r".{1,255}")),
                        help="CloudWatch alarms that must not be in ALARM after a wave",
                    ),
                    "invoke": Field(
                        shape=Record(
                            {
                                "function": Field(
                                    shape=String("a function, maybe with :alias", rf"{LAYER_NAME}(?::\S+)?"),
                                    help="the function to invoke after each wave",
                                    required=True,
                                ),
                                "payload": Field(
                                    shape=String("a JSON file"), help="what it is invoked with; {} by default"
                                ),
                                "expect": Field(
                                    shape=String("a JSON file"),
                                    help="what its answer has to hold; any answer but an error by default",
                                ),
                            }
                        ),
                        help="a function that must answer after a wave",
                    ),
                    "soak": Field(
                        shape=Number("a number of seconds", most=3600),
                        help="how many seconds the alarms are watched after a wave; 0 by default",
                    ),
                },
                any_of=("alarms", "invoke"),
            ),
            help="what must be well after each wave; where it is not, the run's functions are put back",
        ),
        "timeout": Field(
            shape=Number("a number of minutes", least=1),
            help="the minutes after which no further function is begun",
        ),
    }
)

_EXPORT = Record(
    {
        "ssm": Field(
            shape=String("a template of a parameter's name", PARAMETER),
            help="an SSM parameter for each target; {target}, {region} and {account} are filled in",
        ),
        "file": Field(
            shape=String("the path of a .json file", r"(?:[^{}]|\{region\}|\{account\})+\.json"),
            help="a JSON file, which Terraform reads as tfvars; {region} and {account} are filled in",
        ),
    },
    any_of=("ssm", "file"),
)

_AUDIT = Record(
    {
        "severity": Field(
            shape=String("a severity", choices=SEVERITIES),
            help="the least severity that fails the audit; low by default; what nobody rated fails it too",
        ),
        "ignore": Field(
            shape=MapOf(String("a reason"), r"[A-Za-z0-9_.-]+", "an id such as GHSA-... or CVE-..."),
            help="vulnerabilities that do not count, by id, each with the reason",
        ),
        "url": Field(
            shape=String("an address", r"https?://.+"), help="a mirror of OSV; https://api.osv.dev by default"
        ),
    }
)

MANIFEST = Record(
    {
        "version": Field(shape=Constant(1), help="the version of this format: 1", required=True),
        "regions": Field(
            shape=ListOf(String("a region", REGION)),
            help="the regions to publish in; the region of the AWS credentials where it is not written",
        ),
        "layers": Field(
            shape=MapOf(LAYER, LAYER_NAME, "a name that AWS takes for a layer"),
            help="the layers by name",
            required=True,
        ),
        "functions": Field(
            shape=MapOf(_FUNCTION, f"{FUNCTION_GLOB}|{FUNCTION_ARN}", "a function's name, ARN or glob"),
            help="the functions that use them, by name, ARN or glob; the first that matches counts",
        ),
        "accounts": Field(
            shape=ListOf(String("a role's ARN", ROLE_ARN)),
            help="roles to assume, one for each account; the account of the credentials by default",
        ),
        "rollout": Field(shape=_ROLLOUT, help="how functions are updated: waves, checks, canaries"),
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
        "audit": Field(
            shape=_AUDIT, help="which known vulnerabilities count; `lambda-layers audit` looks for them"
        ),
        "export": Field(shape=_EXPORT, help="where to leave layer version ARNs for tools that own functions"),
    },
    extensions=True,
)
