// The device page: what a board keeps in fuses, as the last page of the monitor's part of secure flash (DEVICE_PAGE_PA).
// The host writes it when it starts a machine, the monitor only reads it, nothing else ever sees it. Little-endian;
// offsets in bytes. Made once for each machine: secret and identity; once for each start: the seed. What is not named is
// zero.

export const DEVICE_MAGIC_LOW: u32 = 0x445a5456; // "VTZD"
export const DEVICE_MAGIC_HIGH: u32 = 0x31435645; // "EVC1"

export const DEVICE_MAGIC: u32 = 0x00; // u64
export const DEVICE_MINIMUM_VERSION: u32 = 0x08; // u64, of boot packages: below it none is taken; only ever raised
export const DEVICE_ROOT_KEY: u32 = 0x20; // the Ed25519 public key that signs boot packages (RFC 8032, section 5.1.2)
export const DEVICE_SECRET: u32 = 0x40; // of which keys of guests and of attestation are derived
export const DEVICE_IDENTITY: u32 = 0x60; // random, no secret: the device's name in attestation
export const DEVICE_BOOT_SEED: u32 = 0x80; // randomness, other at each start

export const DEVICE_ROOT_KEY_SIZE: u32 = 32;
export const DEVICE_SECRET_SIZE: u32 = 32;
export const DEVICE_IDENTITY_SIZE: u32 = 32;
export const DEVICE_BOOT_SEED_SIZE: u32 = 64;
