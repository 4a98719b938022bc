"""Why AWS could not carry out an update, and what to do about it.

The codes are those of LastUpdateStatusReasonCode in Lambda's service model (2015-03-31, botocore 1.44.5).
The list grows: an unknown code is shown as it is.
"""

_SUBNET = "give its subnets to it again, or others, and see that they exist"
_ROLE = "give its role what the managed policy AWSLambdaVPCAccessExecutionRole allows"
_KEY = "mend the KMS key that encrypts its variables, and let its role and Lambda use it"
_FILES = "look at its file system: the access point, the mount targets in its subnets, their security groups"
_IMAGE = "mend its container image, and let Lambda pull it"
_CODE = "the new layers may be why: run it on the layer in the runtime's image, or set 'verify: import'"
_AGAIN = "run again later; if that does not help, ask AWS"
_CAPACITY = "run again later, or use other zones or instance types in its capacity provider"

HINTS = {
    "EniLimitExceeded": "raise the VPC's quota of network interfaces, or attach fewer functions to it",
    "InsufficientRolePermissions": _ROLE,
    "InvalidConfiguration": "mend its configuration: AWS's sentence says what is wrong",
    "InternalError": _AGAIN,
    "SubnetOutOfIPAddresses": "free addresses in its subnets, or attach it to larger ones",
    "InvalidSubnet": _SUBNET,
    "InvalidSecurityGroup": "give its security groups to it again, or others of the same VPC",
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
    "InvalidZipFileException": "mend its own deployment package",
    "FunctionError": _CODE,
    "ServiceQuotaExceededException": "raise the quota that AWS names",
    "VcpuLimitExceeded": "raise the account's quota of vCPUs",
    "CapacityProviderScalingLimitExceeded": "raise the limit of its capacity provider",
    "InsufficientCapacity": _CAPACITY,
    "EC2RequestLimitExceeded": "run again: EC2 was asked too often",
    "FunctionError.InitTimeout": _CODE,
    "FunctionError.RuntimeInitError": _CODE,
    "FunctionError.ExtensionInitError": "mend the extension that one of its layers brings",
    "FunctionError.InvalidEntryPoint": "mend its handler or entry point",
    "FunctionError.InvalidWorkingDirectory": "mend its working directory",
    "FunctionError.PermissionDenied": "make the files of its package readable: mode 644, or 755 to run",
    "FunctionError.TooManyExtensions": "leave out a layer that brings an extension",
    "FunctionError.InitResourceExhausted": "give it more memory",
    "DisallowedByVpcEncryptionControl": "attach it to a VPC whose encryption control allows it",
    "IncompatibleAcceleratorInstanceTypes": _CAPACITY,
    "DependencyError": _AGAIN,
}


def hint_for(code: str) -> str:
    """Return what to do about a reason code."""
    return HINTS.get(code, "mend this and run again")
