// The state of the one SHA-256 computation that goes on at a time (sha256.ts).
//
//   0x00   hash         H0…H7
//   0x20   messageSize  bytes hashed so far
//   0x28   blockSize    how many bytes of the block are there
//   0x30   block        64 bytes of the message, as they lie in memory
//   0x70   schedule     W0…W63, 4 bytes each

export const SHA256_BLOCK_SIZE: u32 = 64;
export const SHA256_ROUNDS: u32 = 64;

@unmanaged
export class Sha256State {
  hash0: u32;
  hash1: u32;
  hash2: u32;
  hash3: u32;
  hash4: u32;
  hash5: u32;
  hash6: u32;
  hash7: u32;
  messageSize: u64;
  blockSize: u32;
}

export const SHA256_BLOCK: usize = 0x30;
export const SHA256_SCHEDULE: usize = 0x70;
