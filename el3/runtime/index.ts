// The runtime that firmware is compiled against: none. The hooks are in a file of their own because asc compiles
// an entry file whole, and imported functions only when something reaches them.
import "./refuse";
