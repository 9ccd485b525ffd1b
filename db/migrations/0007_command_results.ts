// What one replica asks of another, and what comes of it, of any size. An embedded file has one process.
import type { Migration } from "./migration.ts";

// `command` is null where all of it is in `errand`, as a replica of an earlier version has it. `result` is null where one
// has carried the command out: it writes the outcome's code alone.
/** Results of commands between replicas, and commands that are too long for the first column. */
export const commandResults: Migration = {
  name: "0007_command_results",
  purpose: "what replicas ask of each other, and what comes of it, of any size",
  statements: {
    sqlite: [],
    mysql: [
      `alter table ll_whatsapp_errands add column command longtext character set utf8mb4 null`,
      `alter table ll_whatsapp_errands add column result longtext character set utf8mb4 null`,
    ],
  },
};
