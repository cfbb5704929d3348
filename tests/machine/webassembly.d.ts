// The little of WebAssembly's JavaScript interface that the model machine uses; the project is checked without the DOM's types.
declare namespace WebAssembly {
  type ModuleImports = Record<string, (...words: never[]) => unknown>;
  type Imports = Record<string, ModuleImports>;
  interface Module {
    readonly [Symbol.toStringTag]: "WebAssembly.Module";
  }
  const Module: { imports(module: Module): { module: string; name: string; kind: string }[] };
  class Instance {
    readonly exports: Record<string, unknown>;
    constructor(module: Module, imports: Imports);
  }
  class Memory {
    readonly buffer: ArrayBuffer;
  }
  class Global {
    readonly value: number;
  }
  class RuntimeError extends Error {}
  function compile(bytes: Uint8Array): Promise<Module>;
}
