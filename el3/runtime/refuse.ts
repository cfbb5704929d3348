// Every hook through which AssemblyScript would allocate is a compile error here: firmware that reaches one does
// not build, firmware that reaches none never notices. @global is how the compiler finds them by name; it is not
// TypeScript on a function, so this file is outside of the linter's reach (biome.json).

// @ts-ignore: decorator
@global
export function __alloc(_size: usize): usize {
  ERROR("firmware has no heap: __alloc");
  return 0;
}

// @ts-ignore: decorator
@global
export function __realloc(_ptr: usize, _size: usize): usize {
  ERROR("firmware has no heap: __realloc");
  return 0;
}

// @ts-ignore: decorator
@global
export function __free(_ptr: usize): void {
  ERROR("firmware has no heap: __free");
}

// @ts-ignore: decorator
@global
export function __new(_size: usize, _id: u32): usize {
  ERROR("firmware has no heap: __new (an array, string, closure or managed object)");
  return 0;
}

// @ts-ignore: decorator
@global
export function __renew(_ptr: usize, _size: usize): usize {
  ERROR("firmware has no heap: __renew");
  return 0;
}

// Reference counting and collection have nothing to do when nothing is managed.
// @ts-ignore: decorator
@global
export function __link(_parentPtr: usize, _childPtr: usize, _expectMultiple: bool): void {}
// @ts-ignore: decorator
@global
export function __pin(ptr: usize): usize {
  return ptr;
}
// @ts-ignore: decorator
@global
export function __unpin(_ptr: usize): void {}
// @ts-ignore: decorator
@global
export function __visit(_ptr: usize, _cookie: u32): void {}
// @ts-ignore: decorator
@global
export function __collect(): void {}
