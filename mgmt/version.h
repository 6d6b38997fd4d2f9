/* SPDX-License-Identifier: MIT */
#pragma once

#define REDOUBT_VERSION "0.1.0"
