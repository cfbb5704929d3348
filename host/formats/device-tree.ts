// Reading and changing a device tree value: find and make nodes, typed property values.

import type { DeviceTree, DeviceTreeNode } from "./fdt.ts";

type PropertyValue = string | string[] | number[] | bigint[] | Uint8Array | true;

/** Node at a path such as "/chosen/module@42000000". */
export function findNode(tree: DeviceTree, path: string): DeviceTreeNode | undefined {
  let node: DeviceTreeNode | undefined = tree.root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    node = node?.children.find((child) => child.name === name);
  }
  return node;
}

export function removeNode(tree: DeviceTree, path: string): boolean {
  const slash = path.lastIndexOf("/");
  const parent = findNode(tree, path.slice(0, slash));
  const index = parent?.children.findIndex((child) => child.name === path.slice(slash + 1)) ?? -1;
  if (parent === undefined || index < 0) return false;
  parent.children.splice(index, 1);
  return true;
}

/** A number array becomes 32-bit cells, a bigint array 64-bit pairs of cells, `true` an empty property. */
export function aDeviceTreeNode(
  name: string,
  properties: Record<string, PropertyValue>,
  children: DeviceTreeNode[] = [],
): DeviceTreeNode {
  const node: DeviceTreeNode = { name, properties: new Map(), children };
  for (const [property, value] of Object.entries(properties)) setProperty(node, property, value);
  return node;
}

export function setProperty(node: DeviceTreeNode, name: string, value: PropertyValue): void {
  node.properties.set(name, propertyBytes(value));
}

function propertyBytes(value: PropertyValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(`${value}\0`);
  if (isStrings(value)) return Buffer.from(value.map((text) => `${text}\0`).join(""));
  const bytes = Buffer.alloc(value.length * (typeof value[0] === "bigint" ? 8 : 4));
  for (const [index, cell] of value.entries()) {
    if (typeof cell === "bigint") bytes.writeBigUInt64BE(cell, index * 8);
    else bytes.writeUInt32BE(cell as number, index * 4);
  }
  return bytes;
}

function isStrings(value: string[] | number[] | bigint[]): value is string[] {
  return typeof value[0] === "string";
}

/** The value as text without its final zero; undefined when the property is absent. */
export function textProperty(node: DeviceTreeNode, name: string): string | undefined {
  const value = node.properties.get(name);
  return value === undefined ? undefined : Buffer.from(value).toString("latin1").replace(/\0$/, "");
}

export function cellsProperty(node: DeviceTreeNode, name: string): number[] | undefined {
  const value = node.properties.get(name);
  if (value === undefined) return undefined;
  const bytes = Buffer.from(value);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readUInt32BE(index * 4));
}

/** A copy that shares nothing with the original. */
export function copyDeviceTree(tree: DeviceTree): DeviceTree {
  return structuredClone(tree);
}
