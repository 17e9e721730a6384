/*
 * What a HID device reports, seen and changed before its driver sees it: of the first device of the kernel, which the test makes by
 * /dev/uhid. Reports whose second byte is 0x55 are counted, and that byte becomes 0xaa.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __ksym __attribute__((section(".ksyms")))

struct hid_bpf_ctx;
extern u8 *hid_bpf_get_data(struct hid_bpf_ctx *ctx, unsigned int offset, const u64 rdwr_buf_size) __ksym;

enum counter { SEEN, CHANGED, COUNTERS };

u64 hits[COUNTERS];

SEC("struct_ops/hid_device_event") int report(u64 *ctx)
{
	u8 *data = hid_bpf_get_data((struct hid_bpf_ctx *)ctx[0], 0, 3);
	__sync_fetch_and_add(&hits[SEEN], 1);
	if (data && data[1] == 0x55) {
		data[1] = 0xaa;
		__sync_fetch_and_add(&hits[CHANGED], 1);
	}
	return 0;
}

struct hid_bpf_ops {
	int hid_id;
	int (*hid_device_event)(struct hid_bpf_ctx *ctx, u32 report_type, u64 source);
};

SEC(".struct_ops.link") struct hid_bpf_ops corelet_hid = {
	.hid_id = 1,
	.hid_device_event = (void *)report,
};

char LICENSE[] SEC("license") = "GPL";
