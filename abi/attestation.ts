// Evidence: an Entity Attestation Token (RFC 9711) in a COSE_Sign1 (RFC 9052), as sel0/attest writes it and host/attest
// reads it. The numbers are those of the registries; docs/attestation.md has the whole as CDDL.

/** The value of eat_profile: the only thing by which a verifier knows what the private claims mean. */
export const EAT_PROFILE = "urn:uuid:658f4862-7759-46c3-94b6-689cfdf0f7ce";

// RFC 9052: tag, header parameters, algorithm (RFC 9053), and the key whose thumbprint (RFC 9679) is the kid. Negative
// numbers are given as CBOR's argument n, for −1 − n.
export const COSE_SIGN1_TAG: u32 = 18;
export const COSE_HEADER_ALG: u32 = 1;
export const COSE_HEADER_CRIT: u32 = 2;
export const COSE_HEADER_KID: u32 = 4;
export const COSE_ALG_EDDSA_ARGUMENT: u32 = 7; // −8
export const COSE_CONTEXT_SIGN1 = "Signature1"; // section 4.4
export const COSE_KEY_KTY: u32 = 1;
export const COSE_KTY_OKP: u32 = 1;
export const COSE_KEY_CRV_ARGUMENT: u32 = 0; // −1
export const COSE_CRV_ED25519: u32 = 6;
export const COSE_KEY_X_ARGUMENT: u32 = 1; // −2

// Claims of RFC 9711, section 4; registry “CBOR Web Token (CWT) Claims”.
export const EAT_NONCE: u32 = 10;
export const EAT_UEID: u32 = 256;
export const EAT_OEMBOOT: u32 = 262;
export const EAT_DBGSTAT: u32 = 263;
export const EAT_PROFILE_CLAIM: u32 = 265;
export const EAT_SUBMODS: u32 = 266;
export const EAT_SWNAME: u32 = 270;
export const EAT_SWVERSION: u32 = 271;
export const EAT_MEASUREMENTS: u32 = 273;

// Private claims: “less than −65536” is private use in that registry.
export const EAT_GUEST_ARGUMENT: u32 = 0x10000; // −65537: identity of the guest
export const EAT_VIOLATIONS_ARGUMENT: u32 = 0x10001; // −65538: acts of the hypervisor that were refused
export const EAT_LOCKDOWN_ARGUMENT: u32 = 0x10002; // −65539: whether the hypervisor is held to its rules
export const EAT_PACKAGE_VERSION_ARGUMENT: u32 = 0x10003; // −65540: version of the boot package

// The three submodules of section 4.2.18, by name; each has swname and measurements.
export const SUBMOD_TEE = "tee";
export const SUBMOD_MONITOR = "monitor";
export const SUBMOD_HYPERVISOR = "hypervisor";
export const MONITOR_NAME = "vTZ";
export const HYPERVISOR_NAME = "Xen";

/** Section 4.2.1.1: a UEID of type RAND is this byte and random ones. */
export const UEID_TYPE_RAND: u32 = 1;
export const NONCE_SIZE_MIN: u32 = 8; // section 4.1
export const NONCE_SIZE_MAX: u32 = 64;
export const DBGSTAT_ENABLED: u32 = 0; // section 4.2.9.1
export const DBGSTAT_MAX: u32 = 4; // section 4.2.9: disabled-fully-and-permanently

// A measurement is a CoSWID (RFC 9393) with one file as evidence; its numbers are those of table “CoSWID Items”.
export const CONTENT_FORMAT_COSWID: u32 = 258; // CoAP content format of application/swid+cbor
export const COSWID_TAG_ID: u32 = 0;
export const COSWID_SOFTWARE_NAME: u32 = 1;
export const COSWID_ENTITY: u32 = 2;
export const COSWID_EVIDENCE: u32 = 3;
export const COSWID_HASH: u32 = 7;
export const COSWID_TAG_VERSION: u32 = 12;
export const COSWID_FILE: u32 = 17;
export const COSWID_FS_NAME: u32 = 24;
export const COSWID_ENTITY_NAME: u32 = 31;
export const COSWID_ROLE: u32 = 33;
export const COSWID_ROLE_TAG_CREATOR: u32 = 1;
export const HASH_ALGORITHM_SHA256: u32 = 1; // registry “Named Information Hash Algorithm”
