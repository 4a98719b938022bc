"""What to do about the reason codes of failed updates.

The codes are those of LastUpdateStatusReasonCode in Lambda's service model (2015-03-31, botocore 1.44.5).
The list grows; an unknown code gets a general hint.
"""

_SUBNET = "check that its subnets exist, and attach it again, or to others"
_ROLE = "attach the managed policy AWSLambdaVPCAccessExecutionRole to its role"
_KEY = "check the KMS key of its environment variables, and allow its role and Lambda to use it"
_FILES = "check its file system: the access point, the mount targets in its subnets, their security groups"
_IMAGE = "fix its container image, and allow Lambda to pull it"
_CODE = "the new layers may be the cause: test them in the runtime's image, or set 'verify: import'"
_AGAIN = "run again later; if it persists, contact AWS support"
_CAPACITY = "run again later, or add zones or instance types to its capacity provider"

HINTS = {
    "EniLimitExceeded": "raise the VPC's quota of network interfaces, or attach fewer functions to it",
    "InsufficientRolePermissions": _ROLE,
    "InvalidConfiguration": "fix its configuration as AWS's message says",
    "InternalError": _AGAIN,
    "SubnetOutOfIPAddresses": "free IP addresses in its subnets, or attach it to larger ones",
    "InvalidSubnet": _SUBNET,
    "InvalidSecurityGroup": "check that its security groups exist, or use others of the same VPC",
    "ImageDeleted": _IMAGE,
    "ImageAccessDenied": _IMAGE,
    "InvalidImage": _IMAGE,
    "KMSKeyAccessDenied": _KEY,
    "KMSKeyNotFound": _KEY,
    "InvalidStateKMSKey": _KEY,
    "DisabledKMSKey": _KEY,
    "EFSIOError": _FILES,
    "EFSMountConnectivityError": _FILES,
    "EFSMountFailure": _FILES,
    "EFSMountTimeout": _FILES,
    "InvalidRuntime": "move it to a runtime that AWS still updates",
    "InvalidZipFileException": "fix its own deployment package",
    "FunctionError": _CODE,
    "ServiceQuotaExceededException": "raise the quota that AWS names",
    "VcpuLimitExceeded": "raise the account's quota of vCPUs",
    "CapacityProviderScalingLimitExceeded": "raise the limit of its capacity provider",
    "InsufficientCapacity": _CAPACITY,
    "EC2RequestLimitExceeded": "run again later: EC2 throttles requests",
    "FunctionError.InitTimeout": _CODE,
    "FunctionError.RuntimeInitError": _CODE,
    "FunctionError.ExtensionInitError": "fix the extension in one of its layers",
    "FunctionError.InvalidEntryPoint": "fix its handler or entry point",
    "FunctionError.InvalidWorkingDirectory": "fix its working directory",
    "FunctionError.PermissionDenied": "make the files of its package readable: mode 644, or 755 for programs",
    "FunctionError.TooManyExtensions": "remove a layer that contains an extension",
    "FunctionError.InitResourceExhausted": "give it more memory",
    "DisallowedByVpcEncryptionControl": "attach it to a VPC whose encryption control allows it",
    "IncompatibleAcceleratorInstanceTypes": _CAPACITY,
    "DependencyError": _AGAIN,
}


_RUNTIME = "restore its customer-managed runtime, or move it to another"
_REFUSALS = {
    "FunctionVersionsPerCapacityProviderLimitExceededException": "delete versions that nothing uses, "
    "as 'keep_versions' does: a capacity provider has at most 100, of all its functions",
    "NoPublishedVersionException": "publish it: aws lambda publish-version --publish-to LATEST_PUBLISHED",
    "RuntimeAliasDeletedException": _RUNTIME,
    "RuntimeVersionDeletedException": _RUNTIME,
}
"""The same for codes of refused calls."""


def hint_for(code: str) -> str:
    """Return what to do about a reason code, or the code of a refused call."""
    return HINTS.get(code) or _REFUSALS.get(code, "fix the cause and run again")


def enable_versioning(bucket: str) -> str:
    """Return the hint for a bucket that keeps no versions."""
    settings = "--versioning-configuration Status=Enabled"
    return f"enable them: aws s3api put-bucket-versioning --bucket {bucket} {settings}"
