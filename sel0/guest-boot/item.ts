// What a pass over the structure block is at (items.ts). There is one pass at a time.

// Devicetree Specification 0.4, section 5.4.1.
export const FDT_BEGIN_NODE: u32 = 1;
export const FDT_END_NODE: u32 = 2;
export const FDT_PROP: u32 = 3;
export const FDT_NOP: u32 = 4;
export const FDT_END: u32 = 9;

@unmanaged
export class Item {
  /** FDT_BEGIN_NODE, FDT_END_NODE, FDT_PROP or FDT_END. */
  kind: u32;
  /** Nodes that are open: 1 is the root's, also while its own begin or end is the item. */
  depth: u32;
  /** Where the next token is. */
  next: u32;
  /** The name without its zero: of the node that begins, of the property. */
  name: u32;
  nameLength: u32;
  value: u32;
  valueSize: u32;
  /** The node ends with the item: its depth counts no more from the next one on. */
  isEnd: bool;
  /** Section 5.4.2: properties come before the nodes below. */
  mayHaveProperty: bool;
  hasRoot: bool;
}

const ITEM: usize = memory.data(64, 8);

export function item(): Item {
  return changetype<Item>(ITEM);
}
