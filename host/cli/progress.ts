// Progress lines with the time since the start: what a long command is doing now.

export class Progress {
  readonly #start = performance.now();
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = (text) => process.stderr.write(text)) {
    this.#write = write;
  }

  readonly line = (text: string): void => {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(1);
    this.#write(`${seconds.padStart(6)} s  ${text}\n`);
  };
}
