// The words in abi/ are AssemblyScript and TypeScript at once; these names make them check on the host.
declare type u8 = number;
declare type u32 = number;
declare type usize = number;
