/* SPDX-License-Identifier: MIT */
#pragma once

/* Outcome of a hypervisor operation. Zero is the only success. */
enum status {
	STATUS_OK = 0,
	STATUS_BUSY,      /* Contended; retrying later may succeed. */
	STATUS_BAD_ARG,   /* The caller (or who it speaks for) broke the documented contract. */
	STATUS_NOT_FOUND, /* No such object, mapping, table or file. */
	STATUS_EXISTS,    /* The object is there already. */
	STATUS_NO_MEMORY, /* No frame of the requested kind is free. */
	STATUS_NO_KEYID,  /* Every private KeyID is in use. */
	STATUS_BAD_STATE, /* The object is not in a state that allows this. */
	STATUS_UNSUPPORTED, /* The CPU, the platform or the TDX module lacks the feature. */
	STATUS_HW_FAULT,    /* Hardware or module broke its contract; never retry. */
};

const char *status_name(enum status s);
