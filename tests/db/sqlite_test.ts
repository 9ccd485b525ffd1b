import { SQLITE } from "../../lab/databases/helpers.ts";
import { loginChangesSuite } from "./login_changes_suite.ts";
import { migrateSuite } from "./migrate_suite.ts";
import { retiredLoginsSuite } from "./retired_logins_suite.ts";
import { rotateSuite } from "./rotate_suite.ts";
import { storeSuite } from "./store_suite.ts";

storeSuite(SQLITE);
loginChangesSuite(SQLITE);
retiredLoginsSuite(SQLITE);
migrateSuite(SQLITE);
rotateSuite(SQLITE);
