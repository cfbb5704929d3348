// The generic timer. Arm ARM, D12.

import { at, bit, type Fields, register } from "./describe.ts";

const TIMER_CONTROL: Fields = {
  ENABLE: bit(0, "the timer is on"),
  IMASK: bit(1, "its interrupt is masked"),
  ISTATUS: bit(2, "its condition holds"),
};

export const timerRegisters = [
  register("CNTFRQ_EL0", "Counter Frequency, Hz", at(3, 3, 14, 0, 0)),
  register("CNTPCT_EL0", "Physical Count", at(3, 3, 14, 0, 1)),
  register("CNTVCT_EL0", "Virtual Count", at(3, 3, 14, 0, 2)),
  register("CNTKCTL_EL1", "Counter Kernel Control", at(3, 0, 14, 1, 0), {
    EL0PCTEN: bit(0, "EL0 may read the physical counter"),
    EL0VCTEN: bit(1, "EL0 may read the virtual counter"),
    EVNTEN: bit(2, "event stream on"),
    EL0VTEN: bit(8, "EL0 may use the virtual timer"),
    EL0PTEN: bit(9, "EL0 may use the physical timer"),
  }),
  register("CNTHCTL_EL2", "Counter Hypervisor Control", at(3, 4, 14, 1, 0), {
    EL1PCTEN: bit(0, "EL1 may read the physical counter"),
    EL1PCEN: bit(1, "EL1 may use the physical timer"),
    EVNTEN: bit(2, "event stream on"),
  }),
  register("CNTVOFF_EL2", "Counter Virtual Offset", at(3, 4, 14, 0, 3)),
  ...timer("CNTP", "EL0", "physical timer", 3, 2),
  ...timer("CNTV", "EL0", "virtual timer", 3, 3),
  ...timer("CNTHP", "EL2", "hypervisor's physical timer", 4, 2),
  ...timer("CNTPS", "EL1", "secure physical timer", 7, 2),
];

function timer(prefix: string, level: string, title: string, op1: number, crm: number) {
  return [
    register(`${prefix}_TVAL_${level}`, `${title}: value`, at(3, op1, 14, crm, 0)),
    register(`${prefix}_CTL_${level}`, `${title}: control`, at(3, op1, 14, crm, 1), TIMER_CONTROL),
    register(`${prefix}_CVAL_${level}`, `${title}: compare value`, at(3, op1, 14, crm, 2)),
  ];
}
