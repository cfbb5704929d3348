// The secure physical timer: an instruction a register and direction, all of which the monitor replaces when it loads the image.

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
  accessor tval, cntps_tval_el1
  accessor ctl, cntps_ctl_el1
  accessor cval, cntps_cval_el1
