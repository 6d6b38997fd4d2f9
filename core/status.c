/* SPDX-License-Identifier: MIT */
#include "core/status.h"

const char *status_name(enum status s)
{
	switch (s) {
	case STATUS_OK:
		return "ok";
	case STATUS_BUSY:
		return "busy";
	case STATUS_BAD_ARG:
		return "bad argument";
	case STATUS_NOT_FOUND:
		return "not found";
	case STATUS_EXISTS:
		return "exists already";
	case STATUS_NO_MEMORY:
		return "out of memory";
	case STATUS_NO_KEYID:
		return "no KeyID left";
	case STATUS_BAD_STATE:
		return "wrong state";
	case STATUS_UNSUPPORTED:
		return "unsupported";
	case STATUS_HW_FAULT:
		return "hardware fault";
	}
	return "unknown status";
}
