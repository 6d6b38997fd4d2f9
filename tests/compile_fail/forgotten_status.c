/* SPDX-License-Identifier: MIT */
#include "core/status.h"
// reject: not handled in switch
int f(enum status s);
int f(enum status s)
{
	switch (s) {
	case STATUS_OK:
		return 0;
	}
	return 1;
}
