// Times invokes of a TA from Linux user space by plain TEE ioctls (include/uapi/linux/tee.h); prints the ticks of each. Neither a C library nor
// libteec stands between the counter's reads and the kernel. `invoke pta`, `invoke ta` and `invoke silent` invoke for ever instead, for a log of the host's.

#include <stddef.h>
#include <stdint.h>

#define SYS_IOCTL 29
#define SYS_OPENAT 56
#define SYS_WRITE 64
#define SYS_EXIT 93
#define SYS_GETPPID 173
#define AT_FDCWD (-100)
#define O_RDWR 2

// _IOR(0xa4, number, size)
#define TEE_IOCTL(number, size) (0x80000000 | (size) << 16 | 0xa4 << 8 | (number))
#define TEE_IOC_VERSION TEE_IOCTL(0, 12)
#define TEE_IOC_OPEN_SESSION TEE_IOCTL(2, 16)
#define TEE_IOC_INVOKE TEE_IOCTL(3, 16)
#define TEE_IOC_CLOSE_SESSION TEE_IOCTL(5, 4)

#define INVOKE_COUNT 500
#define SESSION_COUNT 20
#define WARM_UP_COUNT 20
#define UNKNOWN_COMMAND 0xffff // goes all the way into the TA, which refuses it; a debug build of OP-TEE prints a line
#define CALL_LIB_COMMAND 14 // os_test's shortest command that succeeds: silent
#define MAX_COUNT 500

struct buffer {
	uint64_t address;
	uint64_t size;
};

struct parameter {
	uint64_t attributes, a, b, c;
};

struct open_session {
	uint8_t ta[16], client[16];
	uint32_t login, cancel_id, session, result, origin, parameter_count;
};

struct invocation {
	uint32_t command, session, cancel_id, result, origin, parameter_count;
	struct parameter parameters[4];
};

static const uint8_t TEST_TA[16] = { // xtest's os_test
	0x5b, 0x9e, 0x0e, 0x40, 0x26, 0x36, 0x11, 0xe1, 0xad, 0x9e, 0x00, 0x02, 0xa5, 0xd5, 0xc5, 0x1b,
};
static const uint8_t TEST_PTA[16] = { // OP-TEE's invoke_tests, inside its kernel
	0xd9, 0x6a, 0x5b, 0x40, 0xc3, 0xe5, 0x21, 0xe3, 0x87, 0x94, 0x10, 0x02, 0xa5, 0xd5, 0xc6, 0x1b,
};

static long tee;
static uint32_t ticks[MAX_COUNT];

static long system_call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = 0;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

static uint64_t now(void)
{
	uint64_t value;
	__asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(value)::"memory");
	return value;
}

static void print(const char *text)
{
	size_t length = 0;
	while (text[length] != 0)
		length++;
	system_call(SYS_WRITE, 1, (long)text, (long)length);
}

static void print_number(uint64_t value)
{
	char text[24] = { 0 };
	size_t at = sizeof text - 1;
	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	print(text + at);
}

__attribute__((noreturn)) static void leave(int code)
{
	for (;;)
		system_call(SYS_EXIT, code, 0, 0);
}

__attribute__((noreturn)) static void give_up(const char *what, long error)
{
	print("probe: ");
	print(what);
	print(" failed with ");
	print_number((uint64_t)(error < 0 ? -error : error));
	print("\n");
	leave(1);
}

static uint32_t open_session(const uint8_t ta[16])
{
	struct open_session request = { 0 };
	struct buffer buffer = { (uint64_t)&request, sizeof request };
	for (int at = 0; at < 16; at++)
		request.ta[at] = ta[at];
	long error = system_call(SYS_IOCTL, tee, TEE_IOC_OPEN_SESSION, (long)&buffer);
	if (error != 0 || request.result != 0)
		give_up("open session", error != 0 ? error : (long)request.result);
	return request.session;
}

static void close_session(uint32_t session)
{
	system_call(SYS_IOCTL, tee, TEE_IOC_CLOSE_SESSION, (long)&session);
}

static uint32_t invoke(uint32_t session, uint32_t command, uint32_t parameter_count)
{
	struct invocation request = { 0 };
	struct buffer buffer = { (uint64_t)&request,
				 offsetof(struct invocation, parameters) + parameter_count * sizeof(struct parameter) };
	request.command = command;
	request.session = session;
	request.parameter_count = parameter_count;
	long error = system_call(SYS_IOCTL, tee, TEE_IOC_INVOKE, (long)&buffer);
	if (error != 0)
		give_up("invoke", error);
	return request.result;
}

static void report(const char *name, uint32_t count)
{
	print("probe: call ");
	print(name);
	print(" calls 1 ticks");
	for (uint32_t at = 0; at < count; at++) {
		print(" ");
		print_number(ticks[at]);
	}
	print("\n");
}

#define MEASURE(name, count, action)                              \
	do {                                                      \
		for (uint32_t at = 0; at < (count); at++) {       \
			uint64_t start = now();                   \
			action;                                   \
			ticks[at] = (uint32_t)(now() - start);    \
		}                                                 \
		report(name, count);                              \
	} while (0)

static void measure_invokes(const uint8_t ta[16], const char *plain, const char *with_parameters)
{
	uint32_t session = open_session(ta);
	for (int at = 0; at < WARM_UP_COUNT; at++)
		invoke(session, UNKNOWN_COMMAND, 0);
	MEASURE(plain, INVOKE_COUNT, invoke(session, UNKNOWN_COMMAND, 0));
	MEASURE(with_parameters, INVOKE_COUNT, invoke(session, UNKNOWN_COMMAND, 4));
	close_session(session);
}

// Each turn begins at the same address: a label for readers of the log.
__attribute__((noinline)) void repeat_invoke(uint32_t session, uint32_t command)
{
	invoke(session, command, 0);
}

__attribute__((noreturn)) static void invoke_for_ever(const uint8_t ta[16], uint32_t command)
{
	uint32_t session = open_session(ta);
	print("probe: ready\n");
	for (;;)
		repeat_invoke(session, command);
}

__attribute__((noreturn, used)) void start(const uint64_t *stack)
{
	uint32_t version[3];
	uint32_t session;
	tee = system_call(SYS_OPENAT, AT_FDCWD, (long)"/dev/tee0", O_RDWR);
	if (tee < 0)
		give_up("opening /dev/tee0", tee);
	if (stack[0] > 1) { // argc; argv[1] lies at stack[2]
		switch (*(const char *)stack[2]) {
		case 'p':
			invoke_for_ever(TEST_PTA, UNKNOWN_COMMAND);
		case 's':
			invoke_for_ever(TEST_TA, CALL_LIB_COMMAND);
		default:
			invoke_for_ever(TEST_TA, UNKNOWN_COMMAND);
		}
	}
	MEASURE("EMPTY", INVOKE_COUNT, (void)0);
	MEASURE("GETPPID", INVOKE_COUNT, system_call(SYS_GETPPID, 0, 0, 0));
	MEASURE("IOCTL_VERSION", INVOKE_COUNT, system_call(SYS_IOCTL, tee, TEE_IOC_VERSION, (long)version));
	measure_invokes(TEST_PTA, "PTA_INVOKE", "PTA_INVOKE_4");
	MEASURE("TA_FIRST_OPEN", 1, session = open_session(TEST_TA));
	MEASURE("TA_INVOKE_SILENT", INVOKE_COUNT, invoke(session, CALL_LIB_COMMAND, 0));
	close_session(session);
	measure_invokes(TEST_TA, "TA_INVOKE", "TA_INVOKE_4");
	MEASURE("TA_OPEN_CLOSE", SESSION_COUNT, close_session(open_session(TEST_TA)));
	print("probe: measured\n");
	leave(0);
}

__asm__(".global _start\n_start: mov x0, sp\n b start");

// clang may make calls of it even here.
void *memset(void *to, int value, unsigned long size)
{
	for (unsigned long at = 0; at < size; at++)
		((volatile char *)to)[at] = (char)value;
	return to;
}
