// Directs the DMA of QEMU's `edu` device (docs/specs/edu in QEMU's sources) from dom0's Linux, by what root may do there:
// `dma FOLDER own` moves a page of its own to another one, `dma FOLDER write ADDRESS` writes a pattern to physical memory,
// `dma FOLDER read ADDRESS` reads it. FOLDER is the device's in /sys/bus/pci/devices, ADDRESS is hexadecimal.

#include <stddef.h>
#include <stdint.h>

#define SYS_OPENAT 56
#define SYS_WRITE 64
#define SYS_PREAD 67
#define SYS_PWRITE 68
#define SYS_EXIT 93
#define SYS_MMAP 222
#define AT_FDCWD (-100)
#define O_RDWR 2
#define O_SYNC 04010000
#define PROT_READ_WRITE 3
#define MAP_SHARED 1

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY_AND_MASTER 6

#define EDU_BAR_SIZE 0x100000
#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98
#define EDU_RUN 1
#define EDU_TO_MEMORY 2
#define EDU_BUFFER 0x40000 // of the device, in DMA addresses

#define PAGE_SIZE 4096
#define COUNT 256
#define PATTERN 0xd3adc0d3d3adc0d3

static uint64_t ours[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static uint64_t back[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static volatile uint8_t *edu;

static long system_call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = 0;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

static size_t length_of(const char *text)
{
	size_t length = 0;
	while (text[length] != 0)
		length++;
	return length;
}

__attribute__((noreturn)) static void leave(const char *text, int code)
{
	system_call(SYS_WRITE, 1, (long)text, (long)length_of(text), 0, 0);
	for (;;)
		system_call(SYS_EXIT, code, 0, 0, 0, 0);
}

static int open_file(const char *folder, const char *name)
{
	char path[256];
	size_t at = 0;
	for (; *folder != 0 && at < 128; folder++)
		path[at++] = *folder;
	for (; *name != 0; name++)
		path[at++] = *name;
	path[at] = 0;
	long file = system_call(SYS_OPENAT, AT_FDCWD, (long)path, O_RDWR | O_SYNC, 0, 0);
	if (file < 0)
		leave("dma: a file of the device cannot be opened\n", 1);
	return (int)file;
}

static void take_device(const char *folder)
{
	int config = open_file(folder, "/config");
	uint16_t command;
	system_call(SYS_PREAD, config, (long)&command, sizeof command, PCI_COMMAND, 0);
	command |= PCI_COMMAND_MEMORY_AND_MASTER;
	system_call(SYS_PWRITE, config, (long)&command, sizeof command, PCI_COMMAND, 0);
	long bar = system_call(SYS_MMAP, 0, EDU_BAR_SIZE, PROT_READ_WRITE, MAP_SHARED, open_file(folder, "/resource0"));
	if (bar < 0 && bar > -PAGE_SIZE)
		leave("dma: the device's registers cannot be mapped\n", 1);
	edu = (volatile uint8_t *)bar;
}

static volatile uint64_t *edu_register(uint32_t offset)
{
	return (volatile uint64_t *)(edu + offset);
}

// The device says when it is done, not how it went.
static void move(uint64_t source, uint64_t target, uint64_t command)
{
	*edu_register(EDU_SOURCE) = source;
	*edu_register(EDU_TARGET) = target;
	*edu_register(EDU_COUNT) = COUNT;
	*edu_register(EDU_COMMAND) = command | EDU_RUN;
	while ((*edu_register(EDU_COMMAND) & EDU_RUN) != 0)
		;
}

// In dom0 what Linux takes for physical is physical.
static uint64_t physical(const void *page)
{
	uint64_t entry = 0;
	int map = (int)system_call(SYS_OPENAT, AT_FDCWD, (long)"/proc/self/pagemap", 0, 0, 0);
	system_call(SYS_PREAD, map, (long)&entry, sizeof entry, (long)((uint64_t)page / PAGE_SIZE * sizeof entry), 0);
	if ((entry & 0x7fffffffffffff) == 0)
		leave("dma: Linux does not tell where a page lies\n", 1);
	return (entry & 0x7fffffffffffff) * PAGE_SIZE;
}

static uint64_t parse(const char *text)
{
	uint64_t value = 0;
	for (; *text != 0; text++)
		value = value << 4 | (uint64_t)(*text <= '9' ? *text - '0' : (*text | 0x20) - 'a' + 10);
	return value;
}

// What came back is the pattern, something else, or nothing.
static const char *verdict(void)
{
	size_t same = 0, zero = 0;
	for (size_t at = 0; at < COUNT / 8; at++) {
		same += back[at] == PATTERN + at;
		zero += back[at] == 0;
	}
	return same == COUNT / 8 ? "dma: the pattern\n" : zero == COUNT / 8 ? "dma: zero\n" : "dma: other words\n";
}

__attribute__((noreturn, used)) void start(const uint64_t *stack)
{
	const char *command = stack[0] > 2 ? (const char *)stack[3] : ""; // argc; argv[0] lies at stack[1]
	if (stack[0] < (command[0] == 'o' ? 3 : 4))
		leave("usage: dma FOLDER own | write ADDRESS | read ADDRESS\n", 2);
	take_device((const char *)stack[2]);
	for (size_t at = 0; at < COUNT / 8; at++)
		ours[at] = PATTERN + at;
	back[0] = 1;
	move(physical(ours), EDU_BUFFER, 0);
	if (command[0] == 'w') {
		move(EDU_BUFFER, parse((const char *)stack[4]), EDU_TO_MEMORY);
		leave("dma: done\n", 0);
	}
	if (command[0] == 'r')
		move(parse((const char *)stack[4]), EDU_BUFFER, 0);
	move(EDU_BUFFER, physical(back), EDU_TO_MEMORY);
	leave(verdict(), 0);
}

__asm__(".global _start\n_start: mov x0, sp\n b start");
