// The virtual timer, the TEE's own while it runs.

  .macro accessor name, register
  .global read_\name
read_\name:
  mrs  x0, \register
  ret
  .global write_\name
write_\name:
  msr  \register, x0
  ret
  .endm

  .text
  accessor tval, cntv_tval_el0
  accessor ctl, cntv_ctl_el0
  accessor cval, cntv_cval_el0
