// Why the machine stopped: the codes of `fatal` (abi/epitaph.ts has the words). What must never happen, and never what a guest did.

export * from "../../../abi/epitaph";
