/* SPDX-License-Identifier: MIT */
/* The measured events of TDH leaves outside TDH.MR. */
#pragma once

#include "tests/model/model.h"

void measure_page_add(struct tdcs *cs, uint64_t gpa);
